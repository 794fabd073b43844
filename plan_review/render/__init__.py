"""A review as text, Markdown, HTML, JSON, SARIF and one line. The renderers only format: they judge nothing."""
