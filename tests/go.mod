module footbridge/tests

go 1.26.0

require (
	footbridge/libs v0.0.0
	footbridge/schemas v0.0.0
	footbridge/services v0.0.0
)

replace footbridge/libs => ../libs

replace footbridge/schemas => ../schemas

replace footbridge/services => ../services
