"""Tests of how measurements are kept and shown; the measurements themselves are no tests."""
