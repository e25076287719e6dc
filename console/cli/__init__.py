"""One module per noun of the command line. Parses, calls, prints; decides nothing."""
