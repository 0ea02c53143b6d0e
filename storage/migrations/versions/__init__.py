"""How the tables of earlier versions become today's, one file a step."""
