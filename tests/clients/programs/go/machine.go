// A customer's program on the unmodified Go SDK: one machine from its price to its end, told as one JSON object.
// tests/clients/test_other_sdks.py says what it must tell.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	cvm "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/cvm/v20170312"
)

const limit = 60 * time.Second

var told = map[string]any{}

func main() {
	client := newClient()
	lookAround(client)
	id := buy(client)
	waitFor(client, id, "RUNNING")
	describe(client, id)
	stopAndStart(client, id)
	end(client, id)
	refusal(client)
	must(0, json.NewEncoder(os.Stdout).Encode(told))
}

func newClient() *cvm.Client {
	credential := common.NewCredential(os.Getenv("VMART_SECRET_ID"), os.Getenv("VMART_SECRET_KEY"))
	settings := profile.NewClientProfile()
	settings.Language = "en-US"
	settings.HttpProfile.Scheme = "HTTP"
	settings.HttpProfile.Endpoint = os.Getenv("VMART_ENDPOINT")
	return must(cvm.NewClient(credential, "ap-guangzhou", settings))
}

// must is the value; an error ends the program, which the test tells.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// asked is a request filled in from the JSON in the environment or given here.
func asked[T interface{ FromJsonString(string) error }](request T, members string) T {
	must(0, request.FromJsonString(members))
	return request
}

func ofMachine[T interface{ FromJsonString(string) error }](request T, id string) T {
	return asked(request, fmt.Sprintf(`{"InstanceIds":[%q]}`, id))
}

func lookAround(client *cvm.Client) {
	zones := []string{}
	for _, zone := range must(client.DescribeZones(cvm.NewDescribeZonesRequest())).Response.ZoneSet {
		zones = append(zones, *zone.Zone)
	}
	sort.Strings(zones)
	filter := `{"Filters":[{"Name":"zone","Values":["ap-guangzhou-4"]}]}`
	types := asked(cvm.NewDescribeZoneInstanceConfigInfosRequest(), filter)
	images := asked(cvm.NewDescribeImagesRequest(), `{"Limit":1}`)
	price := asked(cvm.NewInquiryPriceRunInstancesRequest(), os.Getenv("VMART_ORDER"))
	told["zones"] = zones
	told["types"] = len(must(client.DescribeZoneInstanceConfigInfos(types)).Response.InstanceTypeQuotaSet)
	told["image"] = *must(client.DescribeImages(images)).Response.ImageSet[0].ImageId
	told["hourly"] = *must(client.InquiryPriceRunInstances(price)).Response.Price.InstancePrice.UnitPrice
}

// buy sends the purchase twice with one ClientToken: the second answer names the same machine.
func buy(client *cvm.Client) string {
	order := asked(cvm.NewRunInstancesRequest(), os.Getenv("VMART_ORDER"))
	order.ClientToken = common.StringPtr(os.Getenv("VMART_TOKEN"))
	first := *must(client.RunInstances(order)).Response.InstanceIdSet[0]
	again := *must(client.RunInstances(order)).Response.InstanceIdSet[0]
	told["bought_once"] = first == again
	return first
}

func machines(client *cvm.Client, id string) []*cvm.Instance {
	return must(client.DescribeInstances(ofMachine(cvm.NewDescribeInstancesRequest(), id))).Response.InstanceSet
}

func waitFor(client *cvm.Client, id string, state string) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		machine := machines(client, id)[0]
		if *machine.InstanceState == state && *machine.LatestOperationState == "SUCCESS" {
			return
		}
	}
	log.Fatalf("%s is not %s after %s", id, state, limit)
}

func waitGone(client *cvm.Client, id string) {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if len(machines(client, id)) == 0 {
			return
		}
	}
	log.Fatalf("%s is still there after %s", id, limit)
}

func describe(client *cvm.Client, id string) {
	machine := machines(client, id)[0]
	told["name"] = *machine.InstanceName
	told["type"] = *machine.InstanceType
	told["cpu"] = *machine.CPU
	told["disk"] = *machine.SystemDisk.DiskSize
	told["addresses"] = len(machine.PublicIpAddresses)
}

func stopAndStart(client *cvm.Client, id string) {
	must(client.StopInstances(ofMachine(cvm.NewStopInstancesRequest(), id)))
	waitFor(client, id, "STOPPED")
	must(client.StartInstances(ofMachine(cvm.NewStartInstancesRequest(), id)))
	waitFor(client, id, "RUNNING")
}

// end sends the machine to the bin, then out of it.
func end(client *cvm.Client, id string) {
	must(client.TerminateInstances(ofMachine(cvm.NewTerminateInstancesRequest(), id)))
	waitFor(client, id, "SHUTDOWN")
	must(client.TerminateInstances(ofMachine(cvm.NewTerminateInstancesRequest(), id)))
	waitGone(client, id)
}

func refusal(client *cvm.Client) {
	order := asked(cvm.NewRunInstancesRequest(), os.Getenv("VMART_ORDER"))
	order.Placement.Zone = common.StringPtr("ap-nowhere-1")
	_, err := client.RunInstances(order)
	refused, known := err.(*errors.TencentCloudSDKError)
	if !known {
		log.Fatalf("refused with %v", err)
	}
	told["error"] = refused.Code
	told["error_has_request"] = len(refused.RequestId) == 36
}
