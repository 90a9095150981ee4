module footbridge/schemas

go 1.26.0
