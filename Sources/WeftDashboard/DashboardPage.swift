/// The one page of the dashboard.
enum DashboardPage {
    static let html = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Weft: the mesh, live</title>
        <link rel="stylesheet" href="/style.css">
        <link rel="icon" href="data:,">
        </head>
        <body>
        <header>
          <h1>Weft <small>the mesh, live</small></h1>
          <label>Namespace <select id="namespace"><option value="">all</option></select></label>
          <span id="state" role="status">loading…</span>
        </header>
        <main>
          <section class="wide">
            <h2>Traffic <small>last minute</small></h2>
            <div id="empty" class="hint" hidden></div>
            <div class="graph"><svg id="graph" role="img" aria-label="Traffic between workloads"></svg></div>
            <p class="legend">
              <span class="key good"></span> all succeed <span class="key poor"></span> some fail
              <span class="key bad"></span> over 5% fail <svg viewBox="0 0 10 12"
              aria-hidden="true"><g class="lock"><rect y="5" width="10" height="7" rx="1.5"/><path d="M2.2,5 V3.4
              a2.8,2.8 0 0 1 5.6,0 V5"/></g></svg> mutual TLS
            </p>
          </section>
          <section class="wide">
            <h2>Edges</h2>
            <div class="scroll"><table id="edges"><thead><tr><th>from</th><th>to</th><th>rate</th><th>success</th>
            <th>p50</th><th>p95</th><th>p99</th><th>mTLS</th><th>answers</th></tr></thead><tbody></tbody></table></div>
          </section>
          <section>
            <h2>Workloads</h2>
            <div class="scroll"><table id="workloads"><thead><tr><th>namespace</th><th>workload</th><th>pods</th>
            <th>ready</th><th>in mesh</th><th>services</th></tr></thead><tbody></tbody></table></div>
          </section>
          <section>
            <h2>Proxies</h2>
            <div class="scroll"><table id="proxies"><thead><tr><th>proxy</th><th>kind</th><th>CDS</th><th>LDS</th>
            <th>EDS</th><th>RDS</th><th>version</th></tr></thead><tbody></tbody></table></div>
          </section>
        </main>
        <script src="/app.js"></script>
        </body>
        </html>
        """
}
