"""Why a behaviour deviates: three signals and the label they lead to. Pure."""
