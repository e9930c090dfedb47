"""Text-to-motion retrieval: TMR and TEMOS, their data, their metrics and their search."""
