"""Tests of what turns kernel rows into events and windows."""
