import com.google.gson.Gson;
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import com.tencentcloudapi.common.profile.Language;
import com.tencentcloudapi.cvm.v20170312.CvmClient;
import com.tencentcloudapi.cvm.v20170312.models.*;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A customer's program on the unmodified Java SDK: one machine from its price to its end, told as one JSON object.
 * tests/clients/test_other_sdks.py says what it must tell.
 */
public final class Machine {
    private static final long LIMIT_MS = 60_000;
    private static final String ORDER = System.getenv("VMART_ORDER");

    private final Map<String, Object> told = new LinkedHashMap<>();
    private final CvmClient client = newClient();

    public static void main(String[] words) throws Exception {
        Machine machine = new Machine();
        machine.lookAround();
        String id = machine.buy();
        machine.waitFor(id, "RUNNING");
        machine.describe(id);
        machine.stopAndStart(id);
        machine.end(id);
        machine.refusal();
        System.out.println(new Gson().toJson(machine.told));
        System.exit(0); // the SDK's connections would hold the program for some minutes
    }

    private static CvmClient newClient() {
        HttpProfile http = new HttpProfile();
        http.setProtocol(HttpProfile.REQ_HTTP);
        http.setEndpoint(System.getenv("VMART_ENDPOINT"));
        ClientProfile profile = new ClientProfile();
        profile.setLanguage(Language.EN_US);
        profile.setHttpProfile(http);
        Credential credential = new Credential(System.getenv("VMART_SECRET_ID"), System.getenv("VMART_SECRET_KEY"));
        return new CvmClient(credential, "ap-guangzhou", profile);
    }

    private static <T extends AbstractModel> T asked(String members, Class<T> request) {
        return AbstractModel.fromJsonString(members, request);
    }

    private static String ofMachine(String id) {
        return "{\"InstanceIds\":[\"" + id + "\"]}";
    }

    private void lookAround() throws TencentCloudSDKException {
        ZoneInfo[] zones = client.DescribeZones(new DescribeZonesRequest()).getZoneSet();
        told.put("zones", Arrays.stream(zones).map(ZoneInfo::getZone).sorted().toArray());
        String filter = "{\"Filters\":[{\"Name\":\"zone\",\"Values\":[\"ap-guangzhou-4\"]}]}";
        DescribeZoneInstanceConfigInfosRequest types = asked(filter, DescribeZoneInstanceConfigInfosRequest.class);
        told.put("types", client.DescribeZoneInstanceConfigInfos(types).getInstanceTypeQuotaSet().length);
        DescribeImagesRequest images = asked("{\"Limit\":1}", DescribeImagesRequest.class);
        told.put("image", client.DescribeImages(images).getImageSet()[0].getImageId());
        InquiryPriceRunInstancesRequest price = asked(ORDER, InquiryPriceRunInstancesRequest.class);
        told.put("hourly", client.InquiryPriceRunInstances(price).getPrice().getInstancePrice().getUnitPrice());
    }

    /** Twice with one ClientToken: the second answer names the same machine. */
    private String buy() throws TencentCloudSDKException {
        RunInstancesRequest order = asked(ORDER, RunInstancesRequest.class);
        order.setClientToken(System.getenv("VMART_TOKEN"));
        String first = client.RunInstances(order).getInstanceIdSet()[0];
        String again = client.RunInstances(order).getInstanceIdSet()[0];
        told.put("bought_once", first.equals(again));
        return first;
    }

    private Instance[] machines(String id) throws TencentCloudSDKException {
        return client.DescribeInstances(asked(ofMachine(id), DescribeInstancesRequest.class)).getInstanceSet();
    }

    private void waitFor(String id, String state) throws Exception {
        for (long deadline = System.currentTimeMillis() + LIMIT_MS; System.currentTimeMillis() < deadline; ) {
            Instance machine = machines(id)[0];
            if (machine.getInstanceState().equals(state) && "SUCCESS".equals(machine.getLatestOperationState())) return;
            Thread.sleep(200);
        }
        throw new IllegalStateException(id + " is not " + state + " after " + LIMIT_MS + " ms");
    }

    private void waitGone(String id) throws Exception {
        for (long deadline = System.currentTimeMillis() + LIMIT_MS; machines(id).length > 0; Thread.sleep(200)) {
            if (System.currentTimeMillis() > deadline) throw new IllegalStateException(id + " is still there");
        }
    }

    private void describe(String id) throws TencentCloudSDKException {
        Instance machine = machines(id)[0];
        told.put("name", machine.getInstanceName());
        told.put("type", machine.getInstanceType());
        told.put("cpu", machine.getCPU());
        told.put("disk", machine.getSystemDisk().getDiskSize());
        told.put("addresses", machine.getPublicIpAddresses().length);
    }

    private void stopAndStart(String id) throws Exception {
        client.StopInstances(asked(ofMachine(id), StopInstancesRequest.class));
        waitFor(id, "STOPPED");
        client.StartInstances(asked(ofMachine(id), StartInstancesRequest.class));
        waitFor(id, "RUNNING");
    }

    /** Into the bin, then out of it. */
    private void end(String id) throws Exception {
        TerminateInstancesRequest request = asked(ofMachine(id), TerminateInstancesRequest.class);
        client.TerminateInstances(request);
        waitFor(id, "SHUTDOWN");
        client.TerminateInstances(request);
        waitGone(id);
    }

    private void refusal() {
        RunInstancesRequest order = asked(ORDER, RunInstancesRequest.class);
        order.getPlacement().setZone("ap-nowhere-1");
        try {
            client.RunInstances(order);
            told.put("error", "none");
        } catch (TencentCloudSDKException refused) {
            told.put("error", refused.getErrorCode());
            told.put("error_has_request", refused.getRequestId().length() == 36);
        }
    }
}
