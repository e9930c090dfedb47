"""Run folders: what training leaves behind and everything later reads."""
