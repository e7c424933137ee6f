"""The files of a training between sites, carried by Flower. Neither side runs code that came over the network."""
