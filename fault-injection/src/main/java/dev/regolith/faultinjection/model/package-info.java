/**
 * Trained models as a source of real weights and activations.
 *
 * <p>Reads safetensors files ({@link dev.regolith.faultinjection.model.SafeTensors}), runs a plain
 * scalar Llama forward pass ({@link dev.regolith.faultinjection.model.LlamaModel}) and hands out
 * the operands of every linear layer. A model that is ready to use, bundled or from a folder, is a
 * {@link dev.regolith.faultinjection.model.TrainedModel}. Knows nothing of kernels, faults or
 * campaigns.
 */
@NullMarked
package dev.regolith.faultinjection.model;

import org.jspecify.annotations.NullMarked;
