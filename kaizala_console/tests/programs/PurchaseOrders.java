import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.HttpURLConnection;
import java.net.URL;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Posts a purchase order as a card of an action package, and books what was said to it. From 2017.
 *
 * KAIZALA_HOST=https://api.kaiza.la java PurchaseOrders.java APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN VENDOR BUYER
 */
public class PurchaseOrders {
    static final String HOST = System.getenv("KAIZALA_HOST") == null ? "https://api.kaiza.la" : System.getenv("KAIZALA_HOST");
    static final String PACKAGE = "com.contoso.kaizala.miniapps.orders";
    static String applicationId;
    static String accessToken;

    public static void main(String[] arguments) throws Exception {
        applicationId = arguments[0];
        accessToken = getAccessToken(arguments[1], arguments[2]);
        String groupId = getGroupId("Orders", arguments[3], arguments[4]);
        System.out.println("MEMBERS " + getMembers(groupId, arguments[3], arguments[4]));
        String actionId = sendPurchaseOrder(groupId, arguments[3]);
        System.out.println("BOOKED " + sendResponse(groupId, actionId));
        String details = call("GET", "/v1/groups/" + groupId + "/actions/" + actionId + "/?getDetails=True", null);
        System.out.println("STATE " + field(details, "actionType") + " " + details.contains("ERP Upload Success"));
    }

    static String getAccessToken(String secret, String refreshToken) throws Exception {
        HttpURLConnection conn = (HttpURLConnection) new URL(HOST + "/v1/accessToken").openConnection();
        conn.setRequestMethod("GET");
        conn.setRequestProperty("Accept", "application/json");
        conn.setRequestProperty("applicationId", applicationId);
        conn.setRequestProperty("applicationSecret", secret);
        conn.setRequestProperty("refreshToken", refreshToken);
        return field(read(conn), "accessToken");
    }

    static String getGroupId(String groupName, String vendor, String buyer) throws Exception {
        String made = call("POST", "/v1/groups/", "{name:\"" + groupName + "\", welcomeMessage:\"Welcome to group\", members: ["
            + "\"" + vendor + "\",\"" + buyer + "\" ]}");
        System.out.println("ADDED " + made.contains("\"membersAdded\":true"));
        return field(made, "groupId");
    }

    static String getMembers(String groupId, String vendor, String buyer) throws Exception {
        String members = call("GET", "/v1/groups/" + groupId + "/members", null);
        return members.contains(vendor) + " " + members.contains(buyer);
    }

    static String sendPurchaseOrder(String groupId, String vendor) throws Exception {
        String properties = "{\"Name\":\"PL\", \"Value\":\" [{'PN':'Tomato', 'PQ':'50', 'PU':'Kgs'}]\", \"Type\":6}, "
            + "{ \"Name\":\"SA\", \"Type\":0, \"Value\":\"Contoso pvt. ltd.\" }, "
            + "{ \"Name\":\"VID\", \"Type\":0, \"Value\":\"" + vendor + "\" }, "
            + "{ \"Name\":\"POD\", \"Type\":3, \"Value\":\"1500357780666\" }, "
            + "{ \"Name\":\"state\", \"Type\":1, \"Value\":\"0\" } ";
        String sent = call("POST", "/v1/groups/" + groupId + "/actions",
            "{id:\"" + PACKAGE + "\", actionBody:{\"title\": \"purchase order #50034\", properties:[" + properties + "] } }");
        return field(sent, "actionId");
    }

    /** The package knows its nine questions, and nobody else. Only one of them is the ERP's. */
    static int sendResponse(String groupId, String actionId) throws Exception {
        String answers = "\"-\",\"-\",\"-\",\"-\",\"-\",\"-\",\"ERP Upload Success\",\"-\",\"-\"";
        // The blank at the end has been there from the first day: java.net.URL drops it.
        return field(call("POST", "/v1/groups/" + groupId + "/actions/" + actionId + "/responses ",
            "{\"actiontype\":\"survey\",\"actionBody\":{\"Answers\":[" + answers + "]}}"), "responseId").length();
    }

    static String call(String method, String path, String body) throws Exception {
        HttpURLConnection con = (HttpURLConnection) new URL(HOST + path).openConnection();
        con.setDoOutput(body != null);
        con.setDoInput(true);
        con.setRequestMethod(method);
        con.setRequestProperty("Content-Type", "application/json; charset=UTF-8");
        con.setRequestProperty("applicationId", applicationId);
        con.setRequestProperty("accessToken", accessToken);
        if (body != null) {
            OutputStreamWriter os = new OutputStreamWriter(con.getOutputStream());
            os.write(body);
            os.flush();
            os.close();
        }
        return read(con);
    }

    static String read(HttpURLConnection con) throws Exception {
        boolean fine = con.getResponseCode() == HttpURLConnection.HTTP_OK;
        BufferedReader buffer = new BufferedReader(
            new InputStreamReader(fine ? con.getInputStream() : con.getErrorStream(), "utf-8"));
        StringBuilder sb = new StringBuilder();
        String line;
        while ((line = buffer.readLine()) != null) {
            sb.append(line + "\n");
        }
        con.disconnect();
        if (!fine) {
            throw new RuntimeException("Failed : HTTP error code : " + con.getResponseCode() + " " + sb);
        }
        return sb.toString();
    }

    static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }
}
