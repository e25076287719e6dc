"""Acting on findings and answering for it: what is written down for good, later what is decided and enforced."""
