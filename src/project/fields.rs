//! The syntax that `.cabal` files, `cabal.project` and freeze files share, as far as hsx reads it.

/// The top-level fields of a file in cabal's syntax: names in lower case, continuation lines joined by blanks.
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut in_field = false;
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with("--") {
            continue;
        }
        if line.starts_with(char::is_whitespace) {
            if let (true, Some((_, value))) = (in_field, fields.last_mut()) {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(content);
            }
            continue;
        }
        let field = content.split_once(':').filter(|(name, _)| {
            !name.is_empty() && name.trim_end().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
        in_field = field.is_some();
        if let Some((name, value)) = field {
            fields.push((name.trim_end().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    fields
}
