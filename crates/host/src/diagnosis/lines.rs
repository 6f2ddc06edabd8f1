//! Lines of logs: klog, zap's JSON, the CRI's file format, plain text.

/// The longest text that is quoted from a log, in characters.
const QUOTED: usize = 300;

/// A container's log file without what the runtime puts before each line: time, stream, and a tag.
pub(super) fn container_text(file: &str) -> String {
    file.lines().fold(String::new(), |text, line| {
        let mut parts = line.splitn(4, ' ');
        let content = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(_), Some("stdout" | "stderr"), Some("F" | "P"), Some(content)) => content,
            // The first line may be cut.
            _ => line,
        };
        text + content + "\n"
    })
}

/// Whether a line tells of an error.
pub(super) fn is_error(line: &str) -> bool {
    let klog = line
        .strip_prefix(['E', 'F'])
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    klog || line.starts_with("Error: ")
        || line.starts_with("panic: ")
        || line.contains("\"level\":\"error\"")
        || line.contains("\"level\":\"fatal\"")
        || line.contains("\"level\":\"panic\"")
}

/// What a line says, without its time and place, cut to a length that can be read.
pub(super) fn essence(line: &str) -> String {
    let text = zap(line).or_else(|| klog(line)).unwrap_or_else(|| {
        line.trim_start_matches("Error: ")
            .trim_start_matches("panic: ")
            .trim()
            .to_owned()
    });
    match text.char_indices().nth(QUOTED) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A line such as `{"level":"fatal","msg":"discovery failed","error":"listen tcp …"}`.
fn zap(line: &str) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(line.trim()).ok()?;
    let message = fields["msg"].as_str()?;
    Some(match fields["error"].as_str() {
        Some(error) => format!("{message}: {error}"),
        None => message.to_owned(),
    })
}

/// A line such as `E1122 01:50:29.796001   30139 run.go:72] "command failed" err="…"`.
fn klog(line: &str) -> Option<String> {
    let (head, rest) = line.split_once("] ")?;
    if !head.starts_with(['I', 'W', 'E', 'F']) {
        return None;
    }
    let Some((message, error)) = rest.split_once(" err=\"") else {
        return Some(rest.trim().to_owned());
    };
    let error = error.trim_end().trim_end_matches('"').replace("\\\"", "\"");
    Some(match message.trim_matches('"') {
        // Every component ends with these words.
        "command failed" => error,
        message => format!("{message}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_essence_of_a_line_is_what_it_says() {
        let klog = r#"E1122 01:50:30.386018   30153 run.go:72] "command failed" err="failed to load kubelet config file, path: none.yaml, error: open \"/none.yaml\": no such file or directory""#;
        assert!(is_error(klog));
        assert_eq!(
            essence(klog),
            "failed to load kubelet config file, path: none.yaml, error: open \"/none.yaml\": no such file or directory"
        );
        let zap = r#"{"level":"fatal","ts":"2026-11-22T01:50:35.905748Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"listen tcp 127.0.0.1:12379: bind: address already in use"}"#;
        assert!(is_error(zap));
        assert_eq!(
            essence(zap),
            "discovery failed: listen tcp 127.0.0.1:12379: bind: address already in use"
        );
        assert_eq!(
            essence("Error: unknown flag: --bogus"),
            "unknown flag: --bogus"
        );
        assert!(!is_error("Environment ready"));
        assert_eq!(essence(&"é".repeat(400)).chars().count(), QUOTED + 1);
    }

    #[test]
    fn the_file_format_of_the_runtime_is_taken_off() {
        let file =
            "cut line\n2026-11-22T01:50:35.905748123Z stderr F Error: unknown flag: --bogus\n";
        assert_eq!(
            container_text(file),
            "cut line\nError: unknown flag: --bogus\n"
        );
    }
}
