// Puts the shift plan up on the groups of a plant: a survey, a picture, messages to subscribers. From 2018, .NET Framework 4.6.
//
// mcs -r:System.Net.Http.dll -r:System.Runtime.Serialization.dll ShiftBoard.cs
// KAIZALA_HOST=https://api.kaiza.la mono ShiftBoard.exe APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN GROUP_ID
using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Runtime.Serialization.Json;
using System.Text;

// Classes with a member for everything: what nobody sets goes out as null, 0 and false.
public class ErrorDetails { public string message, errorCode, errorCategoryKey; }
public class AccessTokenRs : ErrorDetails { public string accessToken, endpointUrl, refreshToken, scope; public long accessTokenExpiry; }
public class SendMessageRq { public string Message; public List<string> Subscribers; public bool SendToAllSubscribers; }
public class Option { public string Title; }
public class Question { public string Title, Type; public List<Option> Options; }
public class ActionBody
{
    public string Title, Visibility, Description, CoverImage, MediaResource, Caption;
    public bool IsAnonymous, IsSenderOnly, AcceptMultipleResponses;
    public int DueDate;
    public List<Question> Questions;
}
public class SendActionRq { public string ActionType; public ActionBody ActionBody; public List<string> Subscribers; public bool SendToAllSubscribers; }
public class SentRs : ErrorDetails { public string referenceId, actionId, mediaResource; }

public class Session
{
    const string Expired = "Invalid token. Failure reason:Token validation failed due to unknown reason!";
    static readonly string Host = Environment.GetEnvironmentVariable("KAIZALA_HOST") ?? "https://api.kaiza.la";
    static readonly HttpClient Client = new HttpClient();
    readonly string[] credentials;
    string accessToken = "kept.from.yesterday", apiRoot = Host;

    public Session(string[] credentials) { this.credentials = credentials; }

    void GenerateAccessToken()
    {
        var message = new HttpRequestMessage(HttpMethod.Get, string.Format("{0}/v1/accessToken", Host));
        message.Headers.Add("Accept", "application/json");
        message.Headers.Add("applicationId", credentials[0]);
        message.Headers.Add("applicationSecret", credentials[1]);
        message.Headers.Add("refreshToken", credentials[2]);
        var rs = Json.Read<AccessTokenRs>(Client.SendAsync(message).Result.Content.ReadAsStreamAsync().Result);
        if (rs.errorCode != null) throw new Exception(rs.errorCode + " " + rs.message);
        accessToken = rs.accessToken;
        apiRoot = rs.endpointUrl;
        if (!string.IsNullOrEmpty(rs.refreshToken)) credentials[2] = rs.refreshToken;
    }

    public SentRs Post(string path, object request)
    {
        return Send(path, () => new StringContent(Json.Write(request), Encoding.UTF8, "application/json"));
    }

    /// <summary>As bytes alone: with the type of the file, and no name.</summary>
    public SentRs Upload(byte[] file, string type)
    {
        return Send("/v1/media", () =>
        {
            var content = new ByteArrayContent(file);
            content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
            return new MultipartFormDataContent { { content, "files" } };
        });
    }

    /// <summary>As a stream with a name that is no ASCII, which .NET writes in two ways at once.</summary>
    public SentRs Upload(Stream file, string name)
    {
        return Send("/v1/media", () =>
        {
            file.Position = 0;
            var copy = new MemoryStream();
            file.CopyTo(copy);
            copy.Position = 0;
            return new MultipartFormDataContent { { new StreamContent(copy), "FileName", name } };
        });
    }

    SentRs Send(string path, Func<HttpContent> content)
    {
        for (var attempt = 0; ; attempt++)
        {
            var message = new HttpRequestMessage(HttpMethod.Post, apiRoot + path) { Content = content() };
            message.Headers.Add("Accept", "application/json");
            message.Headers.Add("accessToken", accessToken);
            var rs = Json.Read<SentRs>(Client.SendAsync(message).Result.Content.ReadAsStreamAsync().Result);
            if (string.IsNullOrEmpty(rs.errorCode)) return rs;
            if (attempt > 0 || !rs.errorCategoryKey.Contains("AuthException") || !rs.message.Contains(Expired))
                throw new Exception(rs.errorCode + " " + rs.message);
            Console.WriteLine("RENEW");
            GenerateAccessToken();
        }
    }

    /// <summary>The first program of the plant, from 2017: HttpWebRequest, which asks whether it may go on (Expect: 100-continue).</summary>
    public string PutMembers(string groupId, string json)
    {
        var request = (HttpWebRequest)WebRequest.Create(apiRoot + "/groups/" + groupId + "@1/members");
        request.Method = "PUT";
        request.ContentType = "application/json";
        request.Headers["ACCESSTOKEN"] = accessToken;
        request.ServicePoint.Expect100Continue = true;
        using (var writer = new StreamWriter(request.GetRequestStream())) writer.Write(json);
        try
        {
            using (var reader = new StreamReader(request.GetResponse().GetResponseStream())) return reader.ReadToEnd();
        }
        catch (WebException problem)
        {
            return Json.Read<ErrorDetails>(problem.Response.GetResponseStream()).errorCode;
        }
    }
}

public static class Json
{
    public static T Read<T>(Stream stream) { return (T)new DataContractJsonSerializer(typeof(T)).ReadObject(stream); }

    public static string Write(object value)
    {
        var stream = new MemoryStream();
        new DataContractJsonSerializer(value.GetType()).WriteObject(stream, value);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}

public static class ShiftBoard
{
    static readonly byte[] Photo = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==");

    public static void Main(string[] arguments)
    {
        var session = new Session(arguments);
        var group = "/v1/groups/" + arguments[3];
        var said = session.Post(group + "/messages", new SendMessageRq { Message = "Schichtplan für Montag: नमस्ते" });
        Console.WriteLine("SAID " + said.referenceId.Length);

        var survey = new ActionBody { Title = "Who can come on Sunday?", Questions = new List<Question> {
            new Question { Title = "Name", Type = "Text" },
            new Question { Title = "Shift", Type = "SINGLEOPTION", Options = new List<Option> {
                new Option { Title = "Early" }, new Option { Title = "Late" } } } } };
        var asked = session.Post(group + "/actions", new SendActionRq { ActionType = "Survey", ActionBody = survey });
        Console.WriteLine("ASKED " + asked.actionId.Length);

        var bytes = session.Upload(Photo, "image/png").mediaResource;
        var stream = session.Upload(new MemoryStream(Photo), "Übersicht.png").mediaResource;
        foreach (var resource in new[] { bytes, stream })
        {
            var body = new ActionBody { MediaResource = resource, Caption = "Plan" };
            var shown = session.Post(group + "/actions", new SendActionRq { ActionType = "Image", ActionBody = body });
            Console.WriteLine("SHOWN " + (shown.actionId ?? "-"));
        }
        Console.WriteLine("ADDED " + session.PutMembers(arguments[3], "{members:[\"+919820000016\"]}"));
        Console.WriteLine("NOBODY " + session.PutMembers(arguments[3], "{members:7}"));
    }
}
