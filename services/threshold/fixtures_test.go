package threshold

import (
	"testing"

	"footbridge/schemas"
	"footbridge/services/threshold/criteria"
)

func example(t testing.TB) *criteria.Directory {
	t.Helper()
	set, err := criteria.LoadFS(criteria.ExampleFiles())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func compiledSet(t testing.TB, docs ...criteria.Document) *criteria.Directory {
	t.Helper()
	set, err := criteria.Compile(docs...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func lastResort() criteria.Document {
	doc := service("navigator", criteria.Statutory)
	doc.Role = criteria.RoleLastResort
	return doc
}

// service is a document for ongoing care, without a criterion.
func service(id, sector string) criteria.Document {
	return criteria.Document{Format: criteria.Format, Version: "1",
		Service: criteria.Service{ID: id, Name: "The " + id}, Sector: sector,
		Kind: "team", Role: criteria.RoleCare,
		Provenance: criteria.Provenance{Source: "a leaflet", PublishedBy: "the service", CheckedOn: "2026-10-01",
			CheckedBy: "editor"}}
}

func include(id, when string) criteria.Criterion {
	return criteria.Criterion{ID: id, Kind: "other", Effect: criteria.Include, When: when,
		Words: "We are for people of whom this holds: " + id + "."}
}

// northerner is an adult of whom everything is known.
func northerner() schemas.Facts {
	return schemas.Facts{Age: new(34), AreaResidence: new("area-north"), AreaStaying: new("area-north"),
		AreaGP: new("area-north"), RegisteredGP: new(true),
		Gender: new("woman"), Language: new("en"), InterpreterNeeded: new(false), Route: new("discharge"),
		Assessment: new("done"), Destination: new("home"),
		Channels: []string{"phone"}, WorkerGender: new("any"), Carer: new(false), InEducation: new(false),
		WaitingOn: []string{}, OpenTo: []string{}}
}
