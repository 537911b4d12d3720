"""The library: artifacts, which people manage; their versions, which never change; what reviewers say of them."""
