"""Puts the parts of the service together, and runs them; nothing else.

Imported part by part: who looks at a member waits neither for the web nor for the mail.
"""
