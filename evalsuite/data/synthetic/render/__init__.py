"""From plain data of the synthetic world to pixels. PIL is loaded when the first picture is drawn."""
