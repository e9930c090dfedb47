"""Zero-shot recognition: actions named by sentences, without training on labels."""
