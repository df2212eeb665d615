"""The scenarios: one module a family, each registered with `@scenario` and found by itself."""
