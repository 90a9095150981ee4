package browser

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// picturesFolder is where the pictures of the guides are; guide is the page that shows them.
const (
	picturesFolder = "../../docs/pictures"
	guide          = "../../docs/guides/pages.md"
)

// mainPages are those that the guide shows, of invented people, always at the same time of the same day.
var mainPages = []struct {
	name, who, path string
	then            []chromedp.Action[chromedp.Void]
}{
	{"steps", "liaison", "/steps", nil},
	{"journey", "liaison", "/journeys/" + journeyID, nil},
	{"step", "liaison", "/steps/" + stepID, nil},
	{"request", "liaison", "/refer", nil},
	{"message", "navigator", "/messages/" + heldID, nil},
	{"call", "caller", "/calls/" + callID, []chromedp.Action[chromedp.Void]{
		press(`form button.nhsuk-button`), visible(`.fb-script`)}},
	{"offer-link", "", "/p/" + token, nil},
	{"own-page", "", "/y", []chromedp.Action[chromedp.Void]{chromedp.SendKeys(`#code`, ownCode),
		chromedp.SendKeys(`#word`, ownWord), press(`main form button`), visible(`a[href="/y/more"]`)}},
}

// TestTheGuideShowsTheMainPages: each has a picture, which the guide links to. With FOOTBRIDGE_PICTURES set (make
// pictures) they are made anew.
func TestTheGuideShowsTheMainPages(t *testing.T) {
	t.Parallel()
	if os.Getenv("FOOTBRIDGE_PICTURES") != "" {
		makePictures(t)
	}
	text, err := os.ReadFile(guide)
	ok(t, err)
	for _, page := range mainPages {
		file, err := os.Open(filepath.Join(picturesFolder, page.name+".png"))
		if err != nil {
			t.Errorf("run make pictures: %v", err)
			continue
		}
		defer file.Close()
		size, err := png.DecodeConfig(file)
		info, statErr := file.Stat()
		if err != nil || statErr != nil || size.Width != 1280 || info.Size() > 200_000 {
			t.Errorf("%s: %v, %v, %d wide, %d bytes", page.name, err, statErr, size.Width, info.Size())
		}
		if !strings.Contains(string(text), "(../pictures/"+page.name+".png)") {
			t.Errorf("the guide does not show %s", page.name)
		}
	}
}

func makePictures(t *testing.T) {
	t.Helper()
	browser, at := start(t), newSite(t, nil)
	ok(t, os.MkdirAll(picturesFolder, 0o755))
	for _, page := range mainPages {
		ctx := open(t, browser, 1280)
		if page.who != "" {
			signIn(t, ctx, at, page.who)
		}
		do(t, ctx, append([]chromedp.Action[chromedp.Void]{visit(at.URL + page.path), visible(`h1`)}, page.then...)...)
		ok(t, os.WriteFile(filepath.Join(picturesFolder, page.name+".png"), small(t, taken(t, ctx)), 0o644))
	}
}

// tallest is how much of a long page is shown.
const tallest = 1600

func taken(t *testing.T, ctx context.Context) image.Image {
	t.Helper()
	shown, err := png.Decode(bytes.NewReader(read(t, ctx, chromedp.FullScreenshot(100))))
	ok(t, err)
	return shown
}

// small is a picture in its 256 commonest colours.
func small(t *testing.T, shown image.Image) []byte {
	t.Helper()
	size := shown.Bounds()
	size.Max.Y = min(size.Max.Y, size.Min.Y+tallest)
	counts := map[color.Color]int{}
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			counts[shown.At(x, y)]++
		}
	}
	var colours color.Palette
	for one := range counts {
		colours = append(colours, one)
	}
	slices.SortFunc(colours, func(a, b color.Color) int { return counts[b] - counts[a] })
	few := image.NewPaletted(size, colours[:min(len(colours), 256)])
	draw.Draw(few, size, shown, size.Min, draw.Src)
	var to bytes.Buffer
	ok(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&to, few))
	return to.Bytes()
}
