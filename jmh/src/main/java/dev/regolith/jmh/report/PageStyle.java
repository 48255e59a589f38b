package dev.regolith.jmh.report;

/** The look of {@code report.html}: light, dark and print, with no file beside it. */
final class PageStyle {
  static final String CSS =
      """
      :root {
        color-scheme: light dark;
        --paper: #ffffff; --ink: #1c2127; --quiet: #626b75; --line: #dfe3e8; --panel: #f5f6f8;
        --good: #08775a; --bad: #b3261e; --mixed: #8a5a00;
        --correct: #12906c; --off: #3f86d8; --peer: #cf7a12; --roof: #8d96a0;
      }
      @media (prefers-color-scheme: dark) {
        :root {
          --paper: #14171a; --ink: #e7eaed; --quiet: #9aa4ae; --line: #2d333a; --panel: #1c2024;
          --good: #4cc79f; --bad: #ff8a7d; --mixed: #f0b955;
          --correct: #2fb98f; --off: #5b9be6; --peer: #e6a04a; --roof: #77818b;
        }
      }
      * { box-sizing: border-box; }
      body {
        margin: 0 auto; padding: 40px 24px 64px; max-width: 1160px;
        background: var(--paper); color: var(--ink);
        font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif;
        -webkit-print-color-adjust: exact; print-color-adjust: exact;
      }
      .kicker { margin: 0 0 8px; color: var(--quiet); letter-spacing: .04em; }
      h1 { margin: 0 0 14px; font-size: 29px; line-height: 1.25; font-weight: 650; text-wrap: balance; }
      h2 { margin: 44px 0 10px; font-size: 18px; font-weight: 650; }
      h3 { margin: 26px 0 6px; font-size: 15px; font-weight: 650; }
      p { margin: 0 0 10px; max-width: 84ch; }
      .partial { padding-left: 12px; border-left: 4px solid var(--mixed); }
      .note { margin-top: 8px; color: var(--quiet); font-size: 14px; }
      .key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0;
        list-style: none; color: var(--quiet); font-size: 14px; }
      .key svg { display: inline-block; width: 14px; height: 14px; margin-right: 5px;
        vertical-align: -2px; }
      .tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 22px 0 0; }
      .tiles div { flex: 1 1 170px; padding: 10px 14px; border-radius: 6px; background: var(--panel); }
      .tiles b { display: block; font-size: 20px; font-weight: 650;
        font-variant-numeric: tabular-nums; }
      .tiles span { color: var(--quiet); font-size: 13px; }
      .scroll { overflow-x: auto; position: relative; left: 50%; transform: translateX(-50%);
        width: fit-content; min-width: 100%; max-width: calc(100vw - 48px); }
      table { width: 100%; border-collapse: collapse; font-size: 13.5px;
        font-variant-numeric: tabular-nums; }
      th { padding: 4px 6px; white-space: nowrap; text-align: left; vertical-align: bottom;
        font-weight: 600; color: var(--quiet); border-bottom: 1px solid var(--line); }
      tr.over th { border-bottom: 0; padding-bottom: 0; }
      td { padding: 4px 6px; border-bottom: 1px solid var(--line); white-space: nowrap; }
      th:first-child, td:first-child { padding-left: 0; }
      th:last-child, td:last-child { padding-right: 0; }
      th.n, td.n { text-align: right; }
      th.c { text-align: center; }
      td.quiet, td .quiet { color: var(--quiet); }
      td.good { color: var(--good); font-weight: 600; }
      td.bad { color: var(--bad); font-weight: 600; }
      td.whisker { width: 104px; padding-top: 0; padding-bottom: 0; }
      tr.first td { border-top: 1px solid var(--quiet); }
      table.plain td { vertical-align: top; white-space: normal; overflow-wrap: anywhere; }
      table.plain td:first-child { width: 1%; padding-right: 24px; white-space: nowrap; }
      table.narrow { width: auto; min-width: 50%; }
      svg { display: block; width: 100%; height: auto; }
      svg.whisker { width: 104px; height: 16px; }
      svg text { fill: var(--quiet); font-size: 12px; }
      svg text.panel { fill: var(--ink); font-size: 14px; font-weight: 600; }
      svg text.name { font-size: 11px; stroke: var(--paper); stroke-width: 4px; paint-order: stroke; }
      svg .grid { stroke: var(--line); }
      svg .one { stroke: var(--quiet); stroke-dasharray: 2 2; }
      svg .roof { stroke: var(--roof); stroke-width: 2; fill: none; }
      svg .span { stroke: var(--c); stroke-width: 2; }
      svg .stem { stroke: var(--c); opacity: .45; }
      svg .dot { fill: var(--c); }
      svg .ring { fill: var(--paper); stroke: var(--c); stroke-width: 1.8; }
      .i-correct { --c: var(--correct); } .i-off { --c: var(--off); } .i-peer { --c: var(--peer); }
      details { margin-top: 12px; }
      summary { cursor: pointer; color: var(--quiet); }
      code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
      pre { margin: 0 0 12px; padding: 10px 12px; overflow-x: auto; border-radius: 4px;
        background: var(--panel); }
      @media (max-width: 620px) { h1 { font-size: 23px; } }
      @media print {
        :root { --paper: #ffffff; --ink: #000000; --quiet: #4a4f55; --line: #c9ced4; --panel: #f2f3f5; }
        body { padding: 0; max-width: none; font-size: 10.5pt; }
        h1 { font-size: 19pt; }
        tr, svg { break-inside: avoid; }
        h2, h3 { break-after: avoid; }
        .scroll { overflow: visible; left: 0; transform: none; max-width: none; }
        table { font-size: 8pt; }
        th, td { padding: 2pt 3pt; }
        details:not([open]) { display: none; }
      }
      """;

  private PageStyle() {}
}
