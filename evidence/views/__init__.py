"""The portal's pages: they ask, call one verb, and say what happened."""
