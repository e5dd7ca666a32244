// The script of a clinic's page: signs its user in by PIN, and writes to the user's groups. From 2018.
//
// KAIZALA_HOST=https://api.kaiza.la node clinic_page.js MOBILE_NUMBER APPLICATION_ID APPLICATION_SECRET
//
// A page has XMLHttpRequest, and a browser that asks first (OPTIONS) whether the headers of the page may be sent.
var http = require('http');
var readline = require('readline');
var url = require('url');

var rootUrl = process.env.KAIZALA_HOST || 'https://api.kaiza.la';
var mobileNumber = process.argv[2], connectorId = process.argv[3], connectorSecret = process.argv[4];

function XMLHttpRequest() { this.headers = {}; this.onreadystatechange = function () {}; }

XMLHttpRequest.prototype.open = function (method, address) { this.method = method; this.address = address; };

XMLHttpRequest.prototype.setRequestHeader = function (name, value) { this.headers[name] = value; };

XMLHttpRequest.prototype.send = function (body) {
  var self = this;
  var target = url.parse(this.address);
  var names = Object.keys(this.headers).map(function (name) { return name.toLowerCase(); }).sort();
  function ask(method, headers, text, done) {
    var options = { hostname: target.hostname, port: target.port, path: target.path, method: method, headers: headers };
    options.headers.Origin = 'https://clinic.example';
    var request = http.request(options, function (response) {
      var said = '';
      response.setEncoding('utf8');
      response.on('data', function (chunk) { said += chunk; });
      response.on('end', function () { done(response, said); });
    });
    request.on('error', function (error) { console.log('ERROR', self.address, error.message); process.exit(1); });
    request.end(text);
  }
  ask('OPTIONS', {
    'Access-Control-Request-Method': this.method, 'Access-Control-Request-Headers': names.join(',')
  }, undefined, function (asked) {
    var allowed = (asked.headers['access-control-allow-headers'] || '').toLowerCase().split(/, */);
    var fine = asked.statusCode < 300 && asked.headers['access-control-allow-origin'] === '*' &&
      asked.headers['access-control-allow-methods'].split(/, */).indexOf(self.method) > -1 &&
      names.every(function (name) { return allowed.indexOf(name) > -1; });
    if (!fine) { console.log('BLOCKED BY CORS', self.method, self.address); process.exit(1); }
    var sent = {};
    Object.keys(self.headers).forEach(function (name) { sent[name] = self.headers[name]; });
    ask(self.method, sent, body, function (response, text) {
      if (response.headers['access-control-allow-origin'] !== '*') { console.log('UNREADABLE'); process.exit(1); }
      self.readyState = 4;
      self.status = response.statusCode;
      self.responseText = text;
      self.onreadystatechange();
    });
  });
};

function createObject(readyStateFunction, requestMethod, requestUrl, sendData, headers) {
  var obj = new XMLHttpRequest();
  obj.onreadystatechange = function () {
    if ((this.readyState == 4) && (this.status == 200)) {
      readyStateFunction(JSON.parse(this.responseText));
    } else if (this.readyState == 4) {
      console.log('REFUSED', this.status, JSON.parse(this.responseText).errorCode);
      if (requestUrl.indexOf('Pin') > -1) { asking = false; askForPin(); }
    }
  };
  obj.open(requestMethod, requestUrl, true);
  for (var name in headers) { obj.setRequestHeader(name, headers[name]); }
  if (requestMethod == 'POST') {
    obj.setRequestHeader('Content-type', 'application/json');
    obj.send(sendData);
  } else {
    obj.send();
  }
}

function authenticate() {
  var sendData = '{"mobileNumber": "' + mobileNumber + '", applicationId:"' + connectorId + '"}';
  createObject(function () { console.log('PIN SENT'); }, 'POST', rootUrl + '/v1/generatePin', sendData);
}

var field = readline.createInterface({ input: process.stdin });
var typed = [], asking = false;
field.on('line', function (line) { typed.push(line); askForPin(); });

function askForPin() {
  if (typed.length && !asking) {
    asking = true;
    submitPin(typed.shift());
  }
}

// As a form's field has it: without quotes, whatever it begins with.
function submitPin(authpin) {
  var sendData = '{"mobileNumber": "' + mobileNumber + '", "applicationId": "' + connectorId + '", "applicationSecret":"' +
    connectorSecret + '",  "pin":' + authpin + '}';
  createObject(getAccessToken, 'POST', rootUrl + '/v1/loginWithPinAndApplicationId', sendData);
}

function getAccessToken(responseObj) {
  field.close();
  var headers = { refreshToken: responseObj.refreshToken, applicationSecret: connectorSecret, applicationId: connectorId };
  console.log('SIGNED IN', responseObj.grantedScope.split(',').length, responseObj.refreshTokenExpiry > Date.now());
  createObject(fetchGroups, 'GET', responseObj.endpointUrl + 'v1/accessToken', null, headers);
}

var accessToken, endpointUrl;

function fetchGroups(responseObj) {
  accessToken = responseObj.accessToken;
  endpointUrl = responseObj.endpointUrl + '//';
  createObject(function (found) {
    console.log('GROUPS', found.groups.every(function (group) { return group.groupName && group.groupType; }));
    createGroup();
  }, 'GET', endpointUrl + 'v1/groups?fetchAllGroups=true&showDetails=true', null, { accessToken: accessToken });
}

function createGroup() {
  var sendData = '{name: "Clinic", welcomeMessage: "Welcome to the clinic", members: ["+919820000011"],  memberUserIds:["' +
    connectorId + '"], groupType: "group"}';
  createObject(function (made) {
    console.log('MADE', made.groupName, made.membersAdded);
    sendMessage(made.groupId);
  }, 'POST', endpointUrl + 'v1/groups', sendData, { accessToken: accessToken });
}

function sendMessage(groupId) {
  var typed = 'Dear all,\nthe "quiet" hour\n\tbegins at 2.'.replace(/"/g, '\\"'); // the page escapes quotes, and nothing else
  createObject(function (said) {
    console.log('SAID', said.referenceId.length);
  }, 'POST', endpointUrl + 'v1/groups/' + groupId + '/messages', '{message:"' + typed + '"}', { accessToken: accessToken });
}

authenticate();
