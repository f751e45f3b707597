"""The embedded AWS: MiniStack, with what its version lacks and this project needs. Runs in its own environment.

Each module mends one thing, says what AWS does, and fails at start when MiniStack no longer has what it mends.
`tests/lab/test_emulator.py` shows each on the running emulator, and that it is still needed.
"""
