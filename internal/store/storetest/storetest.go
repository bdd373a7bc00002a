// Package storetest is the one suite that every engine of package store passes.
//
//	func TestStore(t *testing.T) { storetest.Run(t, open) }
//
// It asks only through the interface, so that what it proves holds for whoever uses
// the store. Kills and losses of power are simulated by opening the place again
// without closing it first; tests of an engine add real ones.
package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/region"
)

// OpenWith opens the store at a place, a directory that belongs to the test, and closes
// it when the test ends. Opened again, the same place holds the same data.
type OpenWith func(t *testing.T, place string, kek secret.KEK) store.Store

// Open is OpenWith a KEK that is always the same.
type Open func(t *testing.T, place string) store.Store

// KEK returns a key-encryption key for tests: the same every time.
func KEK() secret.KEK {
	kek, err := secret.FromEnvironment("test:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("test"), 8)))
	if err != nil {
		panic(err) // the line above is wrong
	}
	return kek
}

// Run runs the whole suite, each test at a place of its own.
func Run(t *testing.T, openWith OpenWith) {
	for name, test := range map[string]func(*testing.T, OpenWith){
		"ARotationMayCrashBetweenTwoKeys":       rotation,
		"SecretsNeedTheKEKTheyWereSealedWith":   anotherKEK,
		"ReplicasReadWhileDataKeysAreRewrapped": rotationBesideReaders,
		"WhatIsRolledBackSealsNothingLater":     rolledBackDataKey,
		"OneDataKeyIsMadeForManyWritersAtOnce":  manyFirstWriters,
	} {
		t.Run(name, func(t *testing.T) { test(t, openWith) })
	}
	open := func(t *testing.T, place string) store.Store { return openWith(t, place, KEK()) }
	for _, tc := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"EveryKindKeepsItsObjects", everyKindKeepsItsObjects},
		{"ListsPageThroughEverythingOnce", listsPage},
		{"ListsFilter", listsFilter},
		{"EveryKindIsListedInEveryOrder", everyOrder},
		{"EveryKindIsFilteredByEveryField", everyFilter},
		{"NumbersAndTimesHaveRanges", ranges},
		{"AnUnknownFieldIsRefusedWithTheKnownOnes", unknownFields},
		{"ACursorIsOfOneListOnly", oddCursors},
		{"PagesGoOnWhileOthersWrite", pagesOverChanges},
		{"AClaimIsMadeOnce", claims},
		{"ClaimsAreForgotten", forgottenClaims},
		{"SecretsComeBackAsTheyWere", secretsComeBack},
		{"ASetWithAFilterHasTheDevicesThatMatch", filterSets},
		{"OneSubscriberSeesNothingOfAnother", within},
		{"WhatADeviceRanIsRemembered", firmwareHistory},
		{"ManyObjectsAreStoredTogetherOrNotAtAll", createAll},
		{"WhatMustBeUniqueIs", uniqueness},
		{"UpdateRefusesAStaleRevision", staleUpdates},
		{"ArchivedObjectsLeaveTheListsOnly", archiving},
		{"AFailedTransactionLeavesNothing", failedTx},
		{"ConcurrentWritersLoseNothing", concurrentWriters},
		{"TransactionsRunAsIfOneAtATime", oneStaysOnCall},
		{"ARefusalDoesNotEndATransaction", refusedInTx},
		{"OrderIsTheOrderOfBytes", byteOrder},
		{"TextThatNoEngineMayKeepIsRefused", oddText},
		{"ContentComesBackAsItWas", contents},
		{"ABrokenUploadLeavesNothing", brokenUpload},
		{"ARunSurvivesReopening", runSurvives},
		{"OnlyConfiguredCampaignsStart", startOnce},
		{"WhatComesAlongWithAStartIsStoredWithIt", startedAlong},
		{"WhatWasExpectedOfARunStays", forecasts},
		{"AStepIsStoredWholeOrNotAtAll", failedStep},
		{"AStepOfAnotherEpochIsFencedOff", fencing},
		{"OrdersAreInTheAuditLog", orders},
		{"RunsAreSharedByLeases", leases},
		{"AReplicaMayHaveToBeTheOnlyOne", aloneReplicas},
		{"EveryRunIsClaimedByOne", claimsTogether},
		{"CampaignsThatStartTogetherKnowOfOneAnother", startsTogether},
		{"AQuotaOfRunningCampaignsHoldsForStartsAtOnce", startsWithinQuota},
		{"WhatAPlanFoundIsStoredWithTheRun", firstTimeline},
		{"TheMembersOfARunAreKnown", runMembers},
		{"LettersReachTheOwnerOnce", inbox},
		{"SpentAirTimeIsKeptByMinute", spentAir},
		{"CountersNeverGoBack", counters},
		{"ARowNamedTwiceKeepsTheLast", namedTwice},
		{"ARunIsLoadedAsOfOneInstant", wholeSnapshots},
		{"StepsThatCrossAreAllStored", crossingSteps},
		{"TheOutboxKeepsOrderUntilSent", outbox},
		{"ProgressIsCountedAndPaged", progress},
		{"TheTimelineContinuesAfterASequenceNumber", timeline},
		{"FirmwareSightingsKeepTheNewest", firmwareSeen},
		{"UsageIsWhatEndedInAMonth", generalUsage},
		{"SmartDeltaUsageIsByProfile", smartDeltaUsage},
		{"TheFirstActivityIsKnown", firstActivity},
		{"ObjectsAreCountedByState", objectCounts},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open) })
	}
}

var day = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// devEUI returns the n-th identifier of a family.
func devEUI(family byte, n int) lorawan.EUI64 {
	return lorawan.EUI64{family, 0, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}
}

func testDevice(n int) fleet.Device {
	return fleet.Device{DevEUI: devEUI(1, n), Name: "meter", ProfileID: "profile", Classes: fleet.ClassesOf(fleet.ClassC),
		RootKey: lorawan.AES128Key{1, 2, byte(n)}, CreatedAt: day, UpdatedAt: day}
}

func testGroup(n int) fleet.MulticastGroup {
	return fleet.MulticastGroup{DevEUI: devEUI(2, n), Name: "east", Band: region.EU868, McAddr: lorawan.DevAddr{1, 2, 3, byte(n)},
		Frequency: 869525000, McKey: lorawan.AES128Key{9, byte(n)}, SessionClass: fleet.ClassC, CreatedAt: day, UpdatedAt: day}
}

func testCampaign(id string) fleet.Campaign {
	return fleet.Campaign{ID: id, Name: "spring", Created: day, LastChanged: day, DeviceSets: []string{"s"}, Regions: []string{"r"},
		FileID: "f", MaxDuration: time.Hour, SuccessThreshold: 90}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails the test unless err is target.
func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

// same fails the test unless got equals expected.
func same(t *testing.T, what string, got, expected any) {
	t.Helper()
	if !reflect.DeepEqual(got, expected) {
		t.Fatalf("%s\n got %+v\nwant %+v", what, got, expected)
	}
}

// find returns an object that must exist.
func find[T any, K comparable](t *testing.T, c store.Collection[T, K], key K) T {
	t.Helper()
	obj, err := c.Find(context.Background(), key)
	must(t, err)
	return obj
}
