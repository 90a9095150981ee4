package console

import (
	"fmt"
	"net/mail"
	"strconv"

	"footbridge/libs/written"
	"footbridge/schemas"
)

// How a person may be reached is asked in the same way on every form: by which channel, where, between which hours,
// and whether word may be left.

func channelOptions(none string) []option {
	return []option{{Code: "phone", Words: "Phone call"}, {Code: "text", Words: "Text message"},
		{Code: "email", Words: "Email"},
		{Code: "letter", Words: "Letter"}, {Code: "no-safe-channel", Words: none}}
}

// hourOptions are the hours of a day, from the first to the last.
func hourOptions(first, last int) []option {
	options := []option{{Code: "", Words: "No particular hour"}}
	for hour := first; hour <= last; hour++ {
		options = append(options, option{Code: strconv.Itoa(hour), Words: hourWords(hour)})
	}
	return options
}

func hourWords(hour int) string {
	switch {
	case hour == 0 || hour == 24:
		return "midnight"
	case hour == 12:
		return "midday"
	case hour < 12:
		return fmt.Sprintf("%dam", hour)
	}
	return fmt.Sprintf("%dpm", hour-12)
}

// reach reads how somebody may be reached. A number or an address that cannot be one is asked for again while the
// person is still there: nobody could be reached by it afterwards. missing are the words where channel or place were
// left out.
func (a *answers) reach(missingChannel, missingPlace string) *schemas.ReportedContact {
	contact := schemas.ReportedContact{Channel: a.needed("channel", missingChannel, schemas.Values("safe-channel")...),
		Value: a.text("place", 500), FromHour: a.hour("from"), ToHour: a.hour("to"), MayLeaveMessage: a.ticked("leave")}
	if contact.Channel != "" && contact.Value == "" {
		a.matter("place", missingPlace)
	}
	switch {
	case contact.Value == "":
	case contact.Channel == "phone" || contact.Channel == "text":
		if !written.HasPhone(contact.Value) {
			a.matter("place", "Write the whole number with its area code, such as 07700 900123")
		}
	case contact.Channel == "email":
		if _, err := mail.ParseAddress(contact.Value); err != nil {
			a.matter("place", "Write the whole email address, such as name@example.com")
		}
	}
	if contact.ToHour != 0 && contact.ToHour <= contact.FromHour {
		a.matter("to", "Choose an hour that is later than the first")
	}
	if contact.Channel == "no-safe-channel" {
		contact.FromHour, contact.ToHour, contact.MayLeaveMessage = 0, 0, false
	}
	return &contact
}

func (a *answers) hour(name string) int {
	hour, err := strconv.Atoi(a.entered.Get(name))
	if err != nil || hour < 0 || hour > 24 {
		return 0
	}
	return hour
}
