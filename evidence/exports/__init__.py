"""Documents as bytes, one module per format. Each is a function of a document: same input, same bytes."""
