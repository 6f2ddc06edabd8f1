//! PEM files as their readers see them, down to the length of their lines: a file of another
//! layout is another file for `diff`, and for some readers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One block.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) der: Vec<u8>,
}

/// The layout that RFC 7468 asks of those who write.
pub(crate) const STRICT: &str = "lines of 64, each with a line feed, nothing around";

/// The blocks of a file, and its layout.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Block>, String), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a PEM file is no text")?;
    let mut blocks = Vec::new();
    let mut strict = String::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(label) = marker(line, "BEGIN") {
            open = Some((label, String::new()));
        } else if marker(line, "END").is_some() {
            let (label, digits) = open.take().ok_or("an END line has no BEGIN line")?;
            let der = STANDARD
                .decode(&digits)
                .map_err(|_| "a PEM block is not base64")?;
            strict.push_str(&strictly(&label, &der));
            blocks.push(Block { label, der });
        } else if let Some((_, digits)) = &mut open {
            digits.push_str(line);
        }
    }
    if open.is_some() {
        return Err("a PEM block has no end");
    }
    let layout = if strict == text { STRICT } else { "another" };
    Ok((blocks, layout.to_owned()))
}

fn marker(line: &str, word: &str) -> Option<String> {
    let label = line
        .strip_prefix(&format!("-----{word} "))?
        .strip_suffix("-----")?;
    Some(label.to_owned())
}

fn strictly(label: &str, der: &[u8]) -> String {
    let digits = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in digits.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}
