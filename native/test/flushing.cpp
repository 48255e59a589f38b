/*
 * OpenCL on a device without subnormal numbers, for machines that have a better one: the loader, but
 * for two functions. Devices do not say that they have subnormal numbers, and programs are built so
 * that results, and operands, that are subnormal are taken for zero. All else is found in the loader
 * that this library is linked to.
 */
#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

constexpr uint32_t kSingleFpConfig = 0x101B;
constexpr uint64_t kDenorms = 1;

typedef int32_t (*GetDeviceInfo)(void*, uint32_t, size_t, void*, size_t*);
typedef int32_t (*BuildProgram)(void*, uint32_t, void* const*, const char*, void*, void*);

template <typename F>
F of_loader(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int32_t clGetDeviceInfo(void* device, uint32_t what, size_t size, void* value, size_t* needed) {
  static const auto get = of_loader<GetDeviceInfo>("clGetDeviceInfo");
  const int32_t status = get(device, what, size, value, needed);
  if (status == 0 && what == kSingleFpConfig && value != nullptr && size >= sizeof kDenorms) {
    *static_cast<uint64_t*>(value) &= ~kDenorms;
  }
  return status;
}

int32_t clBuildProgram(void* program, uint32_t devices, void* const* list, const char* options,
                       void* done, void* data) {
  static const auto build = of_loader<BuildProgram>("clBuildProgram");
  const std::string all = std::string(options ? options : "") + " -cl-denorms-are-zero";
  return build(program, devices, list, all.c_str(), done, data);
}
}
