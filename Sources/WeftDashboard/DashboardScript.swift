/// The page's program: fetches the three documents every three seconds and draws them.
enum DashboardScript {
    static let javaScript = #"""
        "use strict";
        const SVG = "http://www.w3.org/2000/svg";
        const byId = (id) => document.getElementById(id);
        let chosen = "";

        function make(name, attributes, parent, text) {
          const element = document.createElementNS(SVG, name);
          for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
          if (text !== undefined) element.textContent = text;
          if (parent) parent.appendChild(element);
          return element;
        }
        const key = (workload) => workload.namespace + "/" + workload.name;
        const rate = (edge) => edge.requestsPerSecond > 0
          ? (edge.requestsPerSecond < 10 ? edge.requestsPerSecond.toFixed(1) : Math.round(edge.requestsPerSecond)) + " rps"
          : bytes(edge.sentBytesPerSecond + edge.receivedBytesPerSecond) + "/s";
        function bytes(count) {
          const units = ["B", "kB", "MB", "GB"];
          let unit = 0;
          while (count >= 1000 && unit < 3) { count /= 1000; unit += 1; }
          return (count < 10 && unit > 0 ? count.toFixed(1) : Math.round(count)) + " " + units[unit];
        }
        const share = (value) => value === null || value === undefined ? "–" : (value * 100).toFixed(value === 1 ? 0 : 1) + "%";
        const time = (value) => value === null || value === undefined ? "–"
          : value < 10 ? value.toFixed(1) + " ms" : value < 1000 ? Math.round(value) + " ms" : (value / 1000).toFixed(2) + " s";
        const health = (edge) => edge.successShare === null || edge.successShare === undefined ? "idle"
          : edge.successShare >= 0.9995 ? "good" : edge.successShare >= 0.95 ? "poor" : "bad";

        // Columns: a workload stands right of every workload that calls it; cycles are cut where they are found.
        function columns(nodes, edges) {
          const level = new Map(nodes.map((node) => [node, 0]));
          for (let round = 0; round < nodes.length; round += 1) {
            let moved = false;
            for (const edge of edges) {
              const from = key(edge.source), to = key(edge.destination);
              if (from !== to && level.get(to) <= level.get(from) && level.get(from) + 1 < nodes.length) {
                if (reaches(to, from, edges)) continue;
                level.set(to, level.get(from) + 1);
                moved = true;
              }
            }
            if (!moved) break;
          }
          return level;
        }
        function reaches(start, goal, edges) {
          const seen = new Set([start]), open = [start];
          while (open.length) {
            const at = open.pop();
            if (at === goal) return true;
            for (const edge of edges) {
              const next = key(edge.destination);
              if (key(edge.source) === at && !seen.has(next)) { seen.add(next); open.push(next); }
            }
          }
          return false;
        }

        function drawLock(graph, x, y) {
          const lock = make("g", { class: "lock", transform: `translate(${x},${y})` }, graph);
          make("rect", { y: 5, width: 10, height: 7, rx: 1.5 }, lock);
          make("path", { d: "M2.2,5 V3.4 a2.8,2.8 0 0 1 5.6,0 V5" }, lock);
          make("title", {}, lock, "mutual TLS");
        }

        function draw(edges) {
          const graph = byId("graph");
          graph.replaceChildren();
          graph.toggleAttribute("hidden", !edges.length);
          if (!edges.length) return;
          const nodes = [...new Set(edges.flatMap((edge) => [key(edge.source), key(edge.destination)]))].sort();
          const level = columns(nodes, edges), perColumn = new Map(), place = new Map();
          for (const node of nodes) {
            const column = level.get(node), row = perColumn.get(column) || 0;
            perColumn.set(column, row + 1);
            place.set(node, { column, row });
          }
          const width = 170, gapX = 190, height = 44, gapY = 46, rows = Math.max(...perColumn.values());
          const columnsCount = Math.max(...perColumn.keys()) + 1;
          const x = (node) => 12 + place.get(node).column * (width + gapX);
          const y = (node) => {
            const used = perColumn.get(place.get(node).column);
            return 24 + (place.get(node).row + (rows - used) / 2) * (height + gapY);
          };
          const totalWidth = 24 + columnsCount * width + (columnsCount - 1) * gapX;
          const totalHeight = 48 + rows * (height + gapY);
          graph.setAttribute("viewBox", `0 0 ${totalWidth} ${totalHeight}`);
          graph.style.maxWidth = totalWidth * 1.2 + "px";
          const labels = [];
          for (const edge of edges) {
            const from = key(edge.source), to = key(edge.destination);
            const group = make("g", { class: "edge " + health(edge) }, graph);
            let path, labelX, labelY;
            if (place.get(to).column > place.get(from).column) {
              const x1 = x(from) + width, y1 = y(from) + height / 2, x2 = x(to), y2 = y(to) + height / 2;
              path = `M${x1},${y1} C${x1 + gapX / 2},${y1} ${x2 - gapX / 2},${y2} ${x2},${y2}`;
              labelX = (x1 + x2) / 2; labelY = (y1 + y2) / 2;
            } else {
              const x1 = x(from) + width / 2, y1 = y(from) + height, x2 = x(to) + width / 2, y2 = y(to) + height;
              const low = Math.max(y1, y2) + gapY;
              path = `M${x1},${y1} C${x1},${low} ${x2},${low} ${x2},${y2}`;
              labelX = (x1 + x2) / 2; labelY = low - gapY / 4;
            }
            make("path", { d: path }, group);
            make("title", {}, group, `${from} → ${edge.service}\n${rate(edge)}, success ${share(edge.successShare)}`);
            labels.push({ edge, labelX, labelY });
          }
          for (const { edge, labelX, labelY } of labels) {
            const isLocked = edge.mutualTLSShare >= 0.999;
            const first = rate(edge) + (edge.successShare === null || edge.successShare === undefined
              ? "" : " · " + share(edge.successShare));
            const second = edge.p95 === null || edge.p95 === undefined ? "" : "p95 " + time(edge.p95);
            const half = Math.max(first.length, second.length) * 3.6 + (isLocked ? 16 : 6);
            make("rect", { class: "plate", x: labelX - half, y: labelY - 15, width: half * 2, height: second ? 32 : 19, rx: 5 }, graph);
            if (isLocked) drawLock(graph, labelX - half + 3, labelY - 11);
            make("text", { x: labelX + (isLocked ? 6 : 0), y: labelY - 1, "text-anchor": "middle" }, graph, first);
            if (second) make("text", { x: labelX, y: labelY + 13, "text-anchor": "middle", class: "soft" }, graph, second);
          }
          for (const node of nodes) {
            const [namespace, name] = node.split("/");
            const group = make("g", { class: "node" }, graph);
            make("rect", { x: x(node), y: y(node), width, height, rx: 8 }, group);
            make("text", { x: x(node) + width / 2, y: y(node) + 19, "text-anchor": "middle" }, group,
              name.length > 24 ? name.slice(0, 23) + "…" : name);
            make("text", { x: x(node) + width / 2, y: y(node) + 35, "text-anchor": "middle", class: "soft" }, group, namespace);
            make("title", {}, group, node);
          }
        }

        function fill(id, rows) {
          const body = byId(id).querySelector("tbody");
          body.replaceChildren(...rows.map((cells) => {
            const row = document.createElement("tr");
            for (const cell of cells) {
              const field = document.createElement("td");
              field.textContent = typeof cell === "object" ? cell.text : cell;
              if (typeof cell === "object") field.className = cell.look;
              row.appendChild(field);
            }
            return row;
          }));
        }
        const sync = (state) => ({ text: state || "–", look: state === "SYNCED" ? "good" : state === "STALE" ? "poor" : state === "REJECTED" ? "bad" : "" });

        function hint(workloads, proxies) {
          const meshed = workloads.filter((workload) => workload.meshed > 0 && workload.namespace !== "istio-system").length;
          if (!workloads.length) return "No workloads yet. Start some, for instance with weft up --demo bookinfo.";
          if (!meshed) return "No workload has a sidecar yet. Label a namespace (kubectl label namespace default istio-injection=enabled) and restart its pods (kubectl rollout restart deployment -n default).";
          if (!proxies.length) return "The workloads have sidecars, but no proxy is connected: look at kubectl logs -n istio-system -l app=istiod.";
          return "The mesh is up and no request was seen in the last minute. Send some, for instance curl http://127.0.0.1:8080/productpage.";
        }

        function show(edges, proxies, workloads) {
          const namespaces = [...new Set(workloads.map((workload) => workload.namespace))].sort();
          const select = byId("namespace");
          if (select.options.length !== namespaces.length + 1) {
            select.replaceChildren(new Option("all", ""), ...namespaces.map((name) => new Option(name, name)));
            select.value = chosen;
          }
          const inView = (namespace) => !chosen || namespace === chosen;
          const visible = edges.filter((edge) => inView(edge.source.namespace) || inView(edge.destination.namespace));
          draw(visible);
          const empty = byId("empty");
          empty.hidden = visible.length > 0;
          empty.textContent = visible.length ? "" : hint(workloads, proxies);
          fill("edges", visible.map((edge) => [key(edge.source), key(edge.destination), rate(edge),
            { text: share(edge.successShare), look: health(edge) }, time(edge.p50), time(edge.p95), time(edge.p99), share(edge.mutualTLSShare),
            Object.entries(edge.responses || {}).sort().map(([code, value]) => code + ": " + value.toFixed(1)).join(", ")]));
          fill("workloads", workloads.filter((workload) => inView(workload.namespace)).map((workload) => [workload.namespace,
            workload.name, workload.pods, { text: workload.ready + "/" + workload.pods, look: workload.ready === workload.pods ? "good" : "bad" },
            { text: workload.meshed === workload.pods ? "yes" : workload.meshed > 0 ? "partly" : "no", look: workload.meshed ? "good" : "poor" },
            workload.services.join(", ")]));
          fill("proxies", proxies.filter((proxy) => inView(proxy.namespace)).map((proxy) => [proxy.name, proxy.type,
            sync(proxy.status.CDS), sync(proxy.status.LDS), sync(proxy.status.EDS), sync(proxy.status.RDS), proxy.version]));
        }

        async function refresh() {
          const state = byId("state");
          try {
            const documents = await Promise.all(["edges", "proxies", "workloads"].map(async (name) => {
              const answer = await fetch("/api/" + name, { cache: "no-store" });
              if (!answer.ok) throw new Error("status " + answer.status);
              return answer.json();
            }));
            show(...documents);
            state.textContent = "updated " + new Date().toLocaleTimeString();
            state.className = "";
          } catch (error) {
            state.textContent = "no answer from the control plane (" + error.message + "); trying again";
            state.className = "lost";
          }
        }
        byId("namespace").addEventListener("change", (event) => { chosen = event.target.value; refresh(); });
        async function loop() { await refresh(); setTimeout(loop, 3000); }
        loop();
        """#
}
