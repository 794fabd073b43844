"""What makes the documents: tables and command lines out of the code, walks, screenshots, the site."""
