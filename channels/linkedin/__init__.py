"""Networks of the LinkedIn kind: by an HTTP provider of the Unipile shape, or by hand."""
