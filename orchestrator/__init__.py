"""Avtale: sequences that reach people where they read; a call only after they engaged."""
