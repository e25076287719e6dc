"""Week seven: an agent that passes every check for six weeks, and then a ticket that talks it into a theft."""
