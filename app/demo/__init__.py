"""The demo district: real divisions and boundary, everything else made up by seeded generators and labelled so."""
