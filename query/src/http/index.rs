//! `/api`: a page that says what this is, where to send data, and which endpoints there are.

use std::fmt::Write;

use super::{
    answer::{Answer, Failure, HTML},
    mount::Mount,
    routes::ROUTES,
};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Weir</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
code { font-size: 0.9em; }
td { padding: 0.2rem 1rem 0.2rem 0; vertical-align: top; }
</style>
</head>
<body>
<h1>Weir</h1>
<p>Weir receives traces, logs and metrics, keeps them on this machine and makes them searchable at once.</p>
<h2>Send</h2>
<p>Point any OpenTelemetry SDK or Collector here, by gRPC on port 4317 or HTTP on port 4318 (unless configured otherwise):</p>
<pre><code>OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 my-app</code></pre>
<h2>Look</h2>
<p>In Grafana, add a Jaeger data source with this address and the path <code>/jaeger</code>. Or ask directly:</p>
<table>
"#;

const FOOT: &str = "</table>\n</body>\n</html>\n";

/// The page. Everything on it comes from the source, by whoever mounts as well: nothing needs escaping.
pub(super) fn page(mounts: &[Mount]) -> Result<Answer, Failure> {
    let mut page = String::from(HEAD);
    for route in ROUTES {
        let (path, about) = (route.path, route.about);
        // A path with braces or required parameters leads nowhere by itself.
        if route.links {
            writeln!(page, r#"<tr><td><a href="{path}"><code>{path}</code></a></td><td>{about}</td></tr>"#)
        } else {
            writeln!(page, "<tr><td><code>{path}</code></td><td>{about}</td></tr>")
        }
        .expect("a string takes it");
    }
    for Mount { path, about, .. } in mounts {
        writeln!(page, "<tr><td><code>{path}</code></td><td>{about}</td></tr>").expect("a string takes it");
    }
    page.push_str(FOOT);
    Ok(Answer::text(HTML, page))
}
