/// The look of the page, for light and dark surroundings.
enum DashboardStyle {
    static let css = """
        :root { color-scheme: light dark; --ink: #1b2430; --soft: #64748b; --paper: #f6f8fb; --card: #fff;
          --line: #d9e0e8; --good: #16855b; --poor: #b7791f; --bad: #c53030; --node: #e8eef7; --accent: #2457c5; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #94a3b8; --paper: #10151c; --card: #18202a;
          --line: #2c3846; --good: #4ac28f; --poor: #e0b04c; --bad: #f47272; --node: #223042; --accent: #7da7ff; } }
        * { box-sizing: border-box; } [hidden] { display: none !important; }
        body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
        header { display: flex; gap: 1.5rem; align-items: baseline; padding: .8rem 1.2rem; flex-wrap: wrap;
          border-bottom: 1px solid var(--line); background: var(--card); }
        h1 { font-size: 1.2rem; margin: 0; } h1 small, h2 small { color: var(--soft); font-weight: 400; font-size: .85em; }
        h2 { font-size: 1rem; margin: 0 0 .6rem; }
        #state { margin-left: auto; color: var(--soft); } #state.lost { color: var(--bad); }
        main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; padding: 1rem; }
        section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0; }
        section.wide { grid-column: 1 / -1; }
        .graph { overflow-x: auto; } svg#graph { display: block; width: 100%; min-width: 44rem; height: auto; margin: 0 auto; }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        th { text-align: left; color: var(--soft); font-weight: 500; } th, td { padding: .25rem .6rem .25rem 0; white-space: nowrap; }
        tbody tr { border-top: 1px solid var(--line); }
        .hint { color: var(--soft); max-width: 46rem; } .hint code { background: var(--node); padding: .1em .35em; border-radius: 4px; }
        .legend { color: var(--soft); font-size: .85rem; margin: .6rem 0 0; }
        .key { display: inline-block; width: 1.6em; height: 3px; vertical-align: middle; margin: 0 .2em 0 .8em; }
        .key.good { background: var(--good); } .key.poor { background: var(--poor); } .key.bad { background: var(--bad); }
        .good { color: var(--good); } .poor { color: var(--poor); } .bad { color: var(--bad); }
        svg text { fill: var(--ink); font-size: 12px; } svg text.soft { fill: var(--soft); font-size: 11px; }
        svg .node rect { fill: var(--node); stroke: var(--line); } svg .edge path { fill: none; stroke-width: 2; }
        svg .edge.good path { stroke: var(--good); } svg .edge.poor path { stroke: var(--poor); }
        svg .edge.bad path { stroke: var(--bad); } svg .edge.idle path { stroke: var(--soft); }
        svg .lock { fill: var(--good); } svg .lock path { fill: none; stroke: var(--good); stroke-width: 1.6; }
        .legend svg { display: inline-block; vertical-align: -2px; width: 12px; height: 14px; }
        svg .plate { fill: var(--card); opacity: .88; }
        """
}
