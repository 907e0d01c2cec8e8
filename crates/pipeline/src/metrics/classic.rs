//! The page of metrics in Prometheus' own text format, which every scraper and `promtool` read.
//!
//! The library writes OpenMetrics. The two differ in a few lines: there a counter is declared without the `_total` that its
//! samples carry, and info, units and the end mark have lines of their own.

/// What the older format is served as.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Rewrites an OpenMetrics page. Samples stay as they are.
pub(super) fn text(page: &str) -> String {
    let mut out = String::with_capacity(page.len() + 64);
    let mut help = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if let Some((_, words)) = help.take().filter(|(about, _)| *about == name) {
                out.extend(["# HELP ", name, suffix, " ", words, "\n"]);
            }
            out.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with("# UNIT ") && line != "# EOF" {
            out.extend([line, "\n"]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn counters_and_infos_are_declared_under_the_name_of_their_samples() {
        let page = "# HELP a Things.\n# TYPE a counter\na_total{x=\"1\"} 2\n\
                    # HELP b What runs.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
                    # HELP c_seconds Time.\n# TYPE c_seconds histogram\n# UNIT c_seconds seconds\nc_seconds_sum 1.5\n# EOF\n";
        let expected = "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n\
                        # HELP b_info What runs.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n\
                        # HELP c_seconds Time.\n# TYPE c_seconds histogram\nc_seconds_sum 1.5\n";
        assert_eq!(text(page), expected);
    }
}
