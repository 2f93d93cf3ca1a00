//! What HTML pages that need nothing else are made of: escaped text.

/// Text as HTML shows it, also within attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
