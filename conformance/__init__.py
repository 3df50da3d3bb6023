"""The Autobahn WebSocket test suite, driven against our connection and its peers."""
