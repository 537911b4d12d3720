"""Actions: what people have to do for the evidence, from a template, by hand, or because something expires."""
