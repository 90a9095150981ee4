// Package criteria reads services' published conditions of access and evaluates all of them together for one person's
// facts: which services are open to somebody, which are not and by which sentence, what is not known yet, and where
// somebody would fall between.
//
// In: documents of the form access-criteria/v1 (docs/access-criteria.md), one for each service, in YAML or JSON (Load,
// LoadFS, Compile), Open Referral UK data from which drafts of them are made (ImportOpenReferral), and as values the
// facts known of a person, what services answered, what people decided, and the local day (Situation). Out: a Decision
// with its full matrix (Evaluate), the day on which it may come out otherwise (NextChange), the regions of the space of
// facts that no statutory service takes (FindGaps), past decisions replayed under a draft (WhatIf), what somebody
// should look at in the documents (Lint, Links), what people are told against what is published (ToldAgainstPublished),
// and all of it as a page to print (RuleBook), which can be read back (ReadRuleBook).
//
// It promises:
//   - the same values give the same decision: no clock, no chance, no network, no file that is not handed in;
//   - what is unknown excludes nobody: it becomes a question;
//   - every exclusion names its criterion, its words, source and date, and a decision keeps them with the version of
//     the
//     set (Directory.Hash), so that it can be explained later as it was made;
//   - criteria are about services: a document with a field for a grade of a person does not load, nor does a set
//     without a
//     service of last resort, and every refusal says where and what to change;
//   - an expression is of a small fixed fragment of CEL over a closed list of facts (DeclaredFacts): it ends, has a
//     bounded
//     cost, and can be searched exactly.
//
// It keeps nothing and asks nobody: services/threshold does that around it. It needs schemas, for the facts and the
// words of the answer, and nothing else of this repository.
package criteria
