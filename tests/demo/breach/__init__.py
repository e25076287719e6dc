"""Tests of the story of week seven."""
