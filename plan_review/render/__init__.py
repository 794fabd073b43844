"""A review as text, Markdown and HTML. The renderers only format: they judge nothing."""
