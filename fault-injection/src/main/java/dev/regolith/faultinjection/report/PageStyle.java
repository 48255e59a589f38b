package dev.regolith.faultinjection.report;

/** The look of {@code report.html}: light, dark and print, with no file beside it. */
final class PageStyle {
  static final String CSS =
      """
      :root {
        color-scheme: light dark;
        --paper: #ffffff; --ink: #1c2127; --quiet: #626b75; --line: #dfe3e8; --panel: #f5f6f8;
        --good: #08775a; --bad: #b3261e; --mixed: #8a5a00;
        --sdc: #cf3a2f; --miscorrected: #9c1f63; --crash: #3a3a3f; --hang: #76573f;
        --corrected_inexact: #d98f00; --detected: #3f86d8; --corrected: #12906c;
        --benign: #a9b2bd; --masked: #d5dae0; --on-dark: #ffffff; --on-light: #2b3138;
      }
      @media (prefers-color-scheme: dark) {
        :root {
          --paper: #14171a; --ink: #e7eaed; --quiet: #9aa4ae; --line: #2d333a; --panel: #1c2024;
          --good: #4cc79f; --bad: #ff8a7d; --mixed: #f0b955;
          --sdc: #e5584c; --miscorrected: #d0509a; --crash: #8d9096; --hang: #b08a6c;
          --corrected_inexact: #e0a030; --detected: #5b9be6; --corrected: #23a57f;
          --benign: #66717d; --masked: #3b434c; --on-light: #dfe4e9;
        }
      }
      * { box-sizing: border-box; }
      body {
        margin: 0 auto; padding: 40px 24px 64px; max-width: 1008px;
        background: var(--paper); color: var(--ink);
        font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif;
        -webkit-print-color-adjust: exact; print-color-adjust: exact;
      }
      .kicker { margin: 0 0 8px; color: var(--quiet); letter-spacing: .04em; }
      h1 { margin: 0 0 14px; font-size: 29px; line-height: 1.25; font-weight: 650; text-wrap: balance; }
      h2 { margin: 44px 0 10px; font-size: 18px; font-weight: 650; }
      p { margin: 0 0 10px; max-width: 78ch; }
      .judgement { padding-left: 12px; border-left: 4px solid; }
      .passed { border-color: var(--good); } .passed b { color: var(--good); }
      .failed { border-color: var(--bad); } .failed b { color: var(--bad); }
      .interrupted { border-color: var(--mixed); } .interrupted b { color: var(--mixed); }
      .note { color: var(--quiet); font-size: 14px; }
      .arms { display: grid; grid-template-columns: max-content 1fr; gap: 10px 14px;
        line-height: 1.3;
        align-items: center; margin: 28px 0 12px; }
      .bar { display: flex; height: 38px; border-radius: 4px; overflow: hidden; gap: 1px; }
      .bar.small { height: 14px; min-width: 76px; border-radius: 3px; gap: 0; }
      .bar span { min-width: 2px; padding: 0 6px; overflow: hidden; white-space: nowrap;
        line-height: 38px; font-size: 14px; color: var(--on-dark); background: var(--c); }
      .bar.small span { padding: 0; }
      .bar .o-masked, .bar .o-benign { color: var(--on-light); }
      .key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; padding: 0; list-style: none;
        color: var(--quiet); font-size: 14px; }
      .swatch { display: inline-block; width: 11px; height: 11px; margin-right: 6px;
        border-radius: 2px; background: var(--c); }
      .scroll { overflow-x: auto; }
      table { width: 100%; border-collapse: collapse; font-size: 13.5px;
        font-variant-numeric: tabular-nums; }
      th { padding: 4px 6px; white-space: nowrap; text-align: left; vertical-align: bottom; font-weight: 600;
        color: var(--quiet); border-bottom: 1px solid var(--line); }
      td { padding: 5px 6px; border-bottom: 1px solid var(--line); }
      th:first-child, td:first-child { padding-left: 0; }
      th.n, td.n { text-align: right; white-space: nowrap; }
      td.ci { color: var(--quiet); white-space: nowrap; }
      td.name { white-space: nowrap; }
      tr.sum td { font-weight: 600; border-bottom: 0; }
      .note { margin-top: 8px; } .arms .note { font-size: 13px; }
      tr.inner td.name { padding-left: 18px; color: var(--quiet); }
      td.bad { color: var(--bad); font-weight: 600; }
      table.plain td { vertical-align: top; overflow-wrap: anywhere; }
      table.plain td:first-child { width: 1%; padding-right: 24px; white-space: nowrap; }
      svg { display: block; width: 100%; height: auto; }
      svg rect { fill: var(--c); }
      svg text { fill: var(--quiet); font-size: 12px; }
      svg text.panel { fill: var(--ink); font-size: 14px; font-weight: 600; }
      svg .grid { stroke: var(--line); }
      svg .field { stroke: var(--quiet); }
      svg .whisker { stroke: var(--ink); stroke-width: 1.2; opacity: .7; }
      details { margin-top: 12px; }
      summary { cursor: pointer; color: var(--quiet); }
      code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
      pre { margin: 0 0 12px; padding: 10px 12px; overflow-x: auto; border-radius: 4px;
        background: var(--panel); }
      .o-sdc { --c: var(--sdc); } .o-miscorrected { --c: var(--miscorrected); }
      .o-crash { --c: var(--crash); } .o-hang { --c: var(--hang); }
      .o-corrected_inexact { --c: var(--corrected_inexact); } .o-detected { --c: var(--detected); }
      .o-corrected { --c: var(--corrected); } .o-benign { --c: var(--benign); }
      .o-masked { --c: var(--masked); }
      .o-not_injected, .o-harness_error { --c: transparent; }
      .swatch.o-not_injected, .swatch.o-harness_error { border: 1px dashed var(--quiet); }
      @media (max-width: 620px) { h1 { font-size: 23px; } .arms { grid-template-columns: 1fr; gap: 4px; }
        .arms .bar { margin-bottom: 10px; } }
      @media print {
        :root { --paper: #ffffff; --ink: #000000; --quiet: #4a4f55; --line: #c9ced4; --panel: #f2f3f5; }
        body { padding: 0; max-width: none; font-size: 10.5pt; }
        h1 { font-size: 19pt; }
        tr, svg { break-inside: avoid; }
        h2 { break-after: avoid; margin-top: 22pt; }
        .scroll { overflow: visible; }
        table { font-size: 8pt; }
        th { white-space: normal; }
        th, td { padding: 2.5pt 3pt; }
        .bar.small { min-width: 38pt; height: 8pt; }
        svg { break-before: avoid; }
        details:not([open]) { display: none; }
      }
      """;

  private PageStyle() {}
}
