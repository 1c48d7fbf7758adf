"""Uploads and evidence: bytes taken in whole, looked into safely, judged in words, shown through short-lived links."""
