"""What metrics of several rooms need and no single one owns. A helper of one room lives in that room."""
