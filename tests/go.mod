module footbridge/tests

go 1.26.0

require (
	footbridge/libs v0.0.0
	footbridge/schemas v0.0.0
	footbridge/services v0.0.0
)

require (
	github.com/chromedp/cdproto v0.159.0 // indirect
	github.com/chromedp/chromedp v0.22.0 // indirect
	github.com/chromedp/sysutil v1.1.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260214004413-d219187c3433 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.4.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace footbridge/libs => ../libs

replace footbridge/schemas => ../schemas

replace footbridge/services => ../services
